// The entry point of a backward step for batches: the product of eight batch rows and eight units in one invocation,
// then the cell's finish() for each row and four units. Workgroups: (⌈⌈B/8⌉·⌈units/8⌉ / 16⌉, 1, D).

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.unit_quads;
  let across = (quads + 1u) / 2u;
  let quad0 = id.x % across * 2u;
  let row0 = id.x / across * 8u;
  if (row0 >= params.batch) {
    return;
  }
  // By four batch rows and four units: column = batch row, component = unit.
  var s00 = mat4x4f();
  var s01 = mat4x4f();
  var s10 = mat4x4f();
  var s11 = mat4x4f();
  if (params.has_next != 0u) {
    // Rows past the batch and units past the width repeat the last ones.
    let first = params.source_read[direction];
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
