// How a tile of a backward step loads what it multiplies: each invocation for itself.

// Invocations that load for one another.
const TOGETHER = 1u;

// Which of four rows this invocation loads, where they begin.
fn loaded_rows(rows: vec4u, lane: u32) -> vec4u {
  return rows;
}

// Four n of four rows of what is multiplied: column = batch row, component = n.
fn source_block(rows: vec4u, n: u32) -> mat4x4f {
  return mat4x4f(gates[rows.x + n], gates[rows.y + n], gates[rows.z + n], gates[rows.w + n]);
}
