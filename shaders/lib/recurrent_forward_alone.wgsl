// How a tile of a forward step loads what it multiplies: each invocation for itself.

// Invocations that load for one another.
const TOGETHER = 1u;

// Which of four rows this invocation loads, where they begin.
fn loaded_rows(rows: vec4u, lane: u32) -> vec4u {
  return rows;
}

// Four k of four batch rows: column = batch row, component = k.
fn product_block(rows: vec4u, k: u32) -> mat4x4f {
  return mat4x4f(h[rows.x + k], h[rows.y + k], h[rows.z + k], h[rows.w + k]);
}
