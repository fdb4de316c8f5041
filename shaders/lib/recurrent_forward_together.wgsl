// How a tile of a forward step loads what it multiplies where there are subgroups: four neighbouring invocations have
// the same batch rows, and each loads one of four for all of them.

// Invocations that load for one another.
const TOGETHER = 4u;

// Which of four rows this invocation loads, where they begin.
fn loaded_rows(rows: vec4u, lane: u32) -> vec4u {
  return vec4u(rows[lane % 4u]);
}

// Four k of four batch rows: column = batch row, component = k.
fn product_block(rows: vec4u, k: u32) -> mat4x4f {
  let own = h[rows.x + k];
  return mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}
