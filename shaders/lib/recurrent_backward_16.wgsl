// A tile of a backward step on software adapters, where a load costs several times what a multiplication does: the
// product of sixteen batch rows and sixteen units, then the cell's finish() for each row and four units. The entry
// point is in lib/recurrent_backward_step.wgsl or lib/recurrent_backward_persistent.wgsl.

// Batch rows of an invocation, and units by four.
const ROWS = 16u;
const QUADS = 4u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 4u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 16u;
const LANES = 8u;

fn tile(direction: u32, row0: u32, quad0: u32) {
  let quads = params.unit_quads;
  // By four batch rows and four units: column = batch row, component = unit.
  var s00 = mat4x4f();
  var s01 = mat4x4f();
  var s02 = mat4x4f();
  var s03 = mat4x4f();
  var s10 = mat4x4f();
  var s11 = mat4x4f();
  var s12 = mat4x4f();
  var s13 = mat4x4f();
  var s20 = mat4x4f();
  var s21 = mat4x4f();
  var s22 = mat4x4f();
  var s23 = mat4x4f();
  var s30 = mat4x4f();
  var s31 = mat4x4f();
  var s32 = mat4x4f();
  var s33 = mat4x4f();
  if (has_next()) {
    // Rows past the batch and units past the width repeat the last ones.
    let first = source_read(direction);
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let p0 = loaded_rows(first + min(rows, last) * params.source_stride, quad0 / QUADS);
    let p1 = loaded_rows(first + min(rows + 4u, last) * params.source_stride, quad0 / QUADS);
    let p2 = loaded_rows(first + min(rows + 8u, last) * params.source_stride, quad0 / QUADS);
    let p3 = loaded_rows(first + min(rows + 12u, last) * params.source_stride, quad0 / QUADS);
    let quad_0 = min(quad0, quads - 1u);
    let quad1 = min(quad0 + 1u, quads - 1u);
    let quad2 = min(quad0 + 2u, quads - 1u);
    let quad3 = min(quad0 + 3u, quads - 1u);
    for (var n = 0u; n < params.source_quads; n++) {
      let w0 = weight_block(direction, n, quad_0);
      let w1 = weight_block(direction, n, quad1);
      let w2 = weight_block(direction, n, quad2);
      let w3 = weight_block(direction, n, quad3);
      let source0 = source_block(p0, n);
      s00 += w0 * source0;
      s01 += w1 * source0;
      s02 += w2 * source0;
      s03 += w3 * source0;
      let source1 = source_block(p1, n);
      s10 += w0 * source1;
      s11 += w1 * source1;
      s12 += w2 * source1;
      s13 += w3 * source1;
      let source2 = source_block(p2, n);
      s20 += w0 * source2;
      s21 += w1 * source2;
      s22 += w2 * source2;
      s23 += w3 * source2;
      let source3 = source_block(p3, n);
      s30 += w0 * source3;
      s31 += w1 * source3;
      s32 += w2 * source3;
      s33 += w3 * source3;
    }
  }
  var sums = array<mat4x4f, 16>(
    s00, s01, s02, s03,
    s10, s11, s12, s13,
    s20, s21, s22, s23,
    s30, s31, s32, s33,
  );
  // One call in a loop, not many: compilers write every call out.
  for (var i = 0u; i < 64u; i++) {
    let row = i / 4u;
    let side = i % 4u;
    if (row0 + row < params.batch && quad0 + side < quads) {
      finish(direction, row0 + row, quad0 + side, sums[row / 4u * 4u + side][row % 4u]);
    }
  }
}
