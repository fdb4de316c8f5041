// The entry point of many forward steps a dispatch: a workgroup keeps GROUP_ROWS batch rows of one direction through
// params.steps steps of time, tile by tile of lib/recurrent_forward_1.wgsl, _8 or _16. Nothing but the state passes
// from step to step, and only within a row, so workgroups need not wait for one another.
// Workgroups: (⌈B/GROUP_ROWS⌉, 1, D).
//
// The parameters say where things are in the first step; each later one is row_step rows further, backwards in time
// where that is negative. Sequences of h and c have a place for every step, or two that alternate.

// Steps done.
var<private> done: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let quads = params.hidden_quads;
  let tiles = GROUP_ROWS / ROWS * quads;
  for (var i = 0u; i < params.steps; i++) {
    done = i;
    for (var item = lane; item < tiles; item += LANES) {
      let row0 = group.x * GROUP_ROWS + item / quads * ROWS;
      if (row0 < params.batch) {
        tile(params.first_direction + group.z, row0, item % quads);
      }
    }
    // The next step reads what other invocations have written in this one.
    storageBarrier();
  }
}

fn gates_row(direction: u32) -> u32 {
  return params.gates_row[direction] + done * params.row_step[direction];
}

fn h_read(direction: u32) -> u32 {
  return params.h_write[direction] + ((done - 1u) & params.h_places) * params.h_step[direction];
}

fn h_write(direction: u32) -> u32 {
  return params.h_write[direction] + (done & params.h_places) * params.h_step[direction];
}

fn product_read(direction: u32) -> u32 {
  return h_read(direction);
}

fn c_read(direction: u32) -> u32 {
  return params.c_write[direction] + ((done - 1u) & params.c_places) * params.c_step[direction];
}

fn c_write(direction: u32) -> u32 {
  return params.c_write[direction] + (done & params.c_places) * params.c_step[direction];
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction] + done * params.row_step[direction];
}

fn has_previous() -> bool {
  return done > 0u || params.has_previous != 0u;
}

fn has_product() -> bool {
  return has_previous();
}
