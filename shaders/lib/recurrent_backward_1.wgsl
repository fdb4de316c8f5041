// A tile of a backward step for small batches, and where larger tiles would leave a GPU idle: the product of one batch
// row and four units, then the cell's finish(). The entry point is in lib/recurrent_backward_step.wgsl or
// lib/recurrent_backward_persistent.wgsl.

// Batch rows of an invocation, and units by four.
const ROWS = 1u;
const QUADS = 1u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 16u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 4u;
const LANES = 128u;

fn tile(direction: u32, row0: u32, quad: u32) {
  var sum = vec4f();
  if (has_next()) {
    let first = source_read(direction) + row0 * params.source_stride;
    for (var n = 0u; n < params.source_quads; n++) {
      sum += weight_block(direction, n, quad) * gates[first + n];
    }
  }
  finish(direction, row0, quad, sum);
}
