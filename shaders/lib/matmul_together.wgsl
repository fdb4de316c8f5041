// How a tile of a product loads A where there are subgroups: four neighbouring invocations have the same rows, and each
// loads one of four for all of them.

// Invocations that load for one another.
const TOGETHER = 4u;

// Which of four rows this invocation loads.
fn loaded_rows(rows: vec4u, lane: u32) -> vec4u {
  return vec4u(rows[lane % 4u]);
}

// Four m by four k: a column is one m.
fn block_of_a(rows: vec4u) -> mat4x4f {
  let own = fetch_a(rows + vec4u(0u, 1u, 2u, 3u) * params.a_k);
  return mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}

// Four m at one k.
fn column_of_a(rows: vec4u) -> vec4f {
  let own = a[rows.x];
  return vec4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}
