// A tile of a backward step for batches: the product of eight batch rows and eight units, then the cell's finish() for
// each row and four units. The entry point is in lib/recurrent_backward_step.wgsl or
// lib/recurrent_backward_persistent.wgsl.

// Batch rows of an invocation, and units by four.
const ROWS = 8u;
const QUADS = 2u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 16u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 8u;
const LANES = 16u;

fn tile(direction: u32, row0: u32, quad0: u32) {
  let quads = params.unit_quads;
  // By four batch rows and four units: column = batch row, component = unit.
  var s00 = mat4x4f();
  var s01 = mat4x4f();
  var s10 = mat4x4f();
  var s11 = mat4x4f();
  if (has_next()) {
    // Rows past the batch and units past the width repeat the last ones.
    let first = source_read(direction);
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let p0 = first + min(rows, last) * params.source_stride;
    let p1 = first + min(rows + 4u, last) * params.source_stride;
    let quad1 = min(quad0 + 1u, quads - 1u);
    for (var n = 0u; n < params.source_quads; n++) {
      let w0 = weight_block(direction, n, quad0);
      let w1 = weight_block(direction, n, quad1);
      let source0 = source_block(p0, n);
      s00 += w0 * source0;
      s01 += w1 * source0;
      let source1 = source_block(p1, n);
      s10 += w0 * source1;
      s11 += w1 * source1;
    }
  }
  var sums = array<mat4x4f, 4>(
    s00, s01,
    s10, s11,
  );
  // One call in a loop, not many: compilers write every call out.
  for (var i = 0u; i < 16u; i++) {
    let row = i / 2u;
    let side = i % 2u;
    if (row0 + row < params.batch && quad0 + side < quads) {
      finish(direction, row0 + row, quad0 + side, sums[row / 4u * 2u + side][row % 4u]);
    }
  }
}
