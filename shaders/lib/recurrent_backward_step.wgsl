// The entry point of one backward step a dispatch: an invocation computes one tile of lib/recurrent_backward_1.wgsl,
// _8 or _16. Where things are is what the parameters say.
// Workgroups: (⌈⌈B/ROWS⌉·⌈units/(4·QUADS)⌉ / WORKGROUP⌉, 1, D), the second factor rounded up to a multiple of
// TOGETHER, D being how many directions run.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let tiles = (params.unit_quads + QUADS - 1u) / QUADS;
  let across = (tiles + TOGETHER - 1u) / TOGETHER * TOGETHER;
  let row0 = id.x / across * ROWS;
  if (row0 < params.batch) {
    tile(params.first_direction + id.z, row0, id.x % across * QUADS);
  }
}

fn source_read(direction: u32) -> u32 {
  return params.source_read[direction];
}

fn gates_row(direction: u32) -> u32 {
  return params.gates_row[direction];
}

fn h_read(direction: u32) -> u32 {
  return params.h_read[direction];
}

fn product_read(direction: u32) -> u32 {
  return params.product_read[direction];
}

fn c_read(direction: u32) -> u32 {
  return params.c_read[direction];
}

fn dy_row(direction: u32) -> u32 {
  return params.dy_row[direction];
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction];
}

fn has_next() -> bool {
  return params.has_next != 0u;
}

fn has_previous() -> bool {
  return params.has_previous != 0u;
}

fn has_dy() -> bool {
  return params.has_dy != 0u;
}

fn has_carry_h() -> bool {
  return params.has_carry_h != 0u;
}

fn has_carry_c() -> bool {
  return params.has_carry_c != 0u;
}

fn only_initial() -> bool {
  return params.only_initial != 0u;
}
