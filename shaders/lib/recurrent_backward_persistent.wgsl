// The entry point of many backward steps a dispatch: a workgroup keeps GROUP_ROWS batch rows of one direction through
// params.steps steps of time, tile by tile of lib/recurrent_backward_1.wgsl, _8 or _16, and with only_initial then
// assigns the gradient of the initial h. Only the gates' gradients pass from one invocation to another, and only
// within a row, so workgroups need not wait for one another. Workgroups: (⌈B/GROUP_ROWS⌉, 1, D).
//
// The parameters say where things are in the first of these steps; each one after it is row_step rows further,
// backwards in time where that is negative. Sequences of h and c have a place for every step. has_previous is that
// of the last one: all others have a step before them.

// Steps done.
var<private> done: u32;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let across = (params.unit_quads + QUADS - 1u) / QUADS;
  let tiles = GROUP_ROWS / ROWS * across;
  let passes = params.steps + params.only_initial;
  for (var i = 0u; i < passes; i++) {
    done = i;
    for (var item = lane; item < tiles; item += LANES) {
      let row0 = group.x * GROUP_ROWS + item / across * ROWS;
      if (row0 < params.batch) {
        tile(params.first_direction + group.z, row0, item % across * QUADS);
      }
    }
    // The next step reads what other invocations have written in this one.
    storageBarrier();
  }
}

// Rows from the first step to this one.
fn rows_moved(direction: u32) -> u32 {
  return done * params.row_step[direction];
}

fn source_read(direction: u32) -> u32 {
  return params.source_read[direction] + rows_moved(direction) * params.source_stride;
}

fn gates_row(direction: u32) -> u32 {
  return params.gates_row[direction] + rows_moved(direction);
}

fn h_read(direction: u32) -> u32 {
  return params.h_read[direction] + rows_moved(direction) * params.unit_quads;
}

fn c_read(direction: u32) -> u32 {
  return params.c_read[direction] + rows_moved(direction) * params.hidden_quads;
}

fn dy_row(direction: u32) -> u32 {
  return params.dy_row[direction] + rows_moved(direction);
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction] + rows_moved(direction);
}

fn has_next() -> bool {
  return done > 0u || params.has_next != 0u;
}

fn has_previous() -> bool {
  return done + 1u < params.steps || params.has_previous != 0u;
}

fn has_dy() -> bool {
  return params.has_dy != 0u && !only_initial();
}

fn has_carry_h() -> bool {
  return select(params.keep_carry_h, params.has_carry_h, done == 0u) != 0u;
}

fn has_carry_c() -> bool {
  return done > 0u || params.has_carry_c != 0u;
}

fn only_initial() -> bool {
  return done == params.steps;
}
