// The entry point of one forward step a dispatch: an invocation computes one tile of lib/recurrent_forward_1.wgsl, _8
// or _16. Where things are is what the parameters say. Workgroups: (⌈⌈B/ROWS⌉·(H/4) / WORKGROUP⌉, 1, D),
// H/4 being rounded up to a multiple of TOGETHER, D being how many directions run.

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let across = (params.hidden_quads + TOGETHER - 1u) / TOGETHER * TOGETHER;
  let row0 = id.x / across * ROWS;
  if (row0 < params.batch) {
    tile(params.first_direction + id.z, row0, id.x % across);
  }
}

fn gates_row(direction: u32) -> u32 {
  return params.gates_row[direction];
}

fn h_read(direction: u32) -> u32 {
  return params.h_read[direction];
}

fn h_write(direction: u32) -> u32 {
  return params.h_write[direction];
}

fn product_read(direction: u32) -> u32 {
  return params.product_read[direction];
}

fn c_read(direction: u32) -> u32 {
  return params.c_read[direction];
}

fn c_write(direction: u32) -> u32 {
  return params.c_write[direction];
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction];
}

fn has_previous() -> bool {
  return params.has_previous != 0u;
}

fn has_product() -> bool {
  return params.has_product != 0u;
}
