// How a tile of a product loads A: each invocation for itself.

// Invocations that load for one another.
const TOGETHER = 1u;

// Which of four rows this invocation loads.
fn loaded_rows(rows: vec4u, lane: u32) -> vec4u {
  return rows;
}

// Four m by four k: a column is one m.
fn block_of_a(rows: vec4u) -> mat4x4f {
  let k = vec4u(0u, 1u, 2u, 3u) * params.a_k;
  return mat4x4f(fetch_a(rows.x + k), fetch_a(rows.y + k), fetch_a(rows.z + k), fetch_a(rows.w + k));
}

// Four m at one k.
fn column_of_a(rows: vec4u) -> vec4f {
  return fetch_a(rows);
}
