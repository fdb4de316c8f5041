// A tile of a forward step for batches: the recurrent product of eight batch rows and four units of each gate, then
// finish() for each row. The entry point is in lib/recurrent_forward_step.wgsl or
// lib/recurrent_forward_persistent.wgsl.

// Batch rows of an invocation.
const ROWS = 8u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 16u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 8u;
const LANES = 16u;

fn tile(direction: u32, row0: u32, quad: u32) {
  let quads = params.hidden_quads;
  // By gate and four batch rows: column = batch row, component = unit.
  var a0 = mat4x4f();
  var a1 = mat4x4f();
  var b0 = mat4x4f();
  var b1 = mat4x4f();
  var c0 = mat4x4f();
  var c1 = mat4x4f();
  var d0 = mat4x4f();
  var d1 = mat4x4f();
  if (has_product()) {
    // Rows past the batch repeat the last one.
    let first = product_read(direction);
    let last = vec4u(params.batch - 1u);
    let rows = vec4u(row0) + vec4u(0u, 1u, 2u, 3u);
    let p0 = first + min(rows, last) * params.product_quads;
    let p1 = first + min(rows + 4u, last) * params.product_quads;
    var at = direction * params.weight_stride + FIRST_GATE * quads + quad;
    for (var k = 0u; k < params.product_quads; k++) {
      let h0 = product_block(p0, k);
      let h1 = product_block(p1, k);
      let w_a = weight_block(at);
      a0 += w_a * h0;
      a1 += w_a * h1;
      if (COUNT > 1u) {
        let w_b = weight_block(at + quads);
        b0 += w_b * h0;
        b1 += w_b * h1;
      }
      if (COUNT > 2u) {
        let w_c = weight_block(at + 2u * quads);
        c0 += w_c * h0;
        c1 += w_c * h1;
      }
      if (COUNT > 3u) {
        let w_d = weight_block(at + 3u * quads);
        d0 += w_d * h0;
        d1 += w_d * h1;
      }
      at += 4u * GATES * quads;
    }
  }
  var sums_a = array<mat4x4f, 2>(a0, a1);
  var sums_b = array<mat4x4f, 2>(b0, b1);
  var sums_c = array<mat4x4f, 2>(c0, c1);
  var sums_d = array<mat4x4f, 2>(d0, d1);
  for (var row = 0u; row < min(8u, params.batch - row0); row++) {
    let block = row / 4u;
    let column = row % 4u;
    let sums = to_sums(sums_a[block][column], sums_b[block][column], sums_c[block][column], sums_d[block][column]);
    finish(direction, row0 + row, quad, sums);
  }
}
