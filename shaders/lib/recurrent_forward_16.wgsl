// A tile of a forward step on software adapters, where a load costs several times what a multiplication does: the
// recurrent product of sixteen batch rows and four units of each gate, then finish() for each row. The entry point is
// in lib/recurrent_forward_step.wgsl or lib/recurrent_forward_persistent.wgsl.

// Batch rows of an invocation.
const ROWS = 16u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 8u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 16u;
const LANES = 16u;

fn tile(direction: u32, row0: u32, quad: u32) {
  let quads = params.hidden_quads;
  // By gate and four batch rows: column = batch row, component = unit.
  var a0 = mat4x4f();
  var a1 = mat4x4f();
  var a2 = mat4x4f();
  var a3 = mat4x4f();
  var b0 = mat4x4f();
  var b1 = mat4x4f();
  var b2 = mat4x4f();
  var b3 = mat4x4f();
  var c0 = mat4x4f();
  var c1 = mat4x4f();
  var c2 = mat4x4f();
  var c3 = mat4x4f();
  var d0 = mat4x4f();
  var d1 = mat4x4f();
  var d2 = mat4x4f();
  var d3 = mat4x4f();
  if (has_product()) {
    // Rows past the batch and units past the width repeat the last ones.
    let first = product_read(direction);
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let p0 = loaded_rows(first + min(rows, last) * params.product_quads, quad);
    let p1 = loaded_rows(first + min(rows + 4u, last) * params.product_quads, quad);
    let p2 = loaded_rows(first + min(rows + 8u, last) * params.product_quads, quad);
    let p3 = loaded_rows(first + min(rows + 12u, last) * params.product_quads, quad);
    var at = direction * params.weight_stride + FIRST_GATE * quads + min(quad, quads - 1u);
    for (var k = 0u; k < params.product_quads; k++) {
      let h0 = product_block(p0, k);
      let h1 = product_block(p1, k);
      let h2 = product_block(p2, k);
      let h3 = product_block(p3, k);
      let w_a = weight_block(at);
      a0 += w_a * h0;
      a1 += w_a * h1;
      a2 += w_a * h2;
      a3 += w_a * h3;
      if (COUNT > 1u) {
        let w_b = weight_block(at + quads);
        b0 += w_b * h0;
        b1 += w_b * h1;
        b2 += w_b * h2;
        b3 += w_b * h3;
      }
      if (COUNT > 2u) {
        let w_c = weight_block(at + 2u * quads);
        c0 += w_c * h0;
        c1 += w_c * h1;
        c2 += w_c * h2;
        c3 += w_c * h3;
      }
      if (COUNT > 3u) {
        let w_d = weight_block(at + 3u * quads);
        d0 += w_d * h0;
        d1 += w_d * h1;
        d2 += w_d * h2;
        d3 += w_d * h3;
      }
      at += 4u * GATES * quads;
    }
  }
  var sums_a = array<mat4x4f, 4>(a0, a1, a2, a3);
  var sums_b = array<mat4x4f, 4>(b0, b1, b2, b3);
  var sums_c = array<mat4x4f, 4>(c0, c1, c2, c3);
  var sums_d = array<mat4x4f, 4>(d0, d1, d2, d3);
  let rows_left = select(0u, min(16u, params.batch - row0), quad < quads);
  for (var row = 0u; row < rows_left; row++) {
    let block = row / 4u;
    let column = row % 4u;
    let sums = to_sums(sums_a[block][column], sums_b[block][column], sums_c[block][column], sums_d[block][column]);
    finish(direction, row0 + row, quad, sums);
  }
}
