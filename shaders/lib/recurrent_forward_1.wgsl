// A tile of a forward step for small batches, and where larger tiles would leave a GPU idle: the recurrent product of
// one batch row and four units of each gate, then finish(). The entry point is in lib/recurrent_forward_step.wgsl or
// lib/recurrent_forward_persistent.wgsl.

// Batch rows of an invocation.
const ROWS = 1u;
// Invocations of a workgroup, one step a dispatch.
const WORKGROUP = 16u;
// Rows and invocations of a workgroup that stays for many steps.
const GROUP_ROWS = 4u;
const LANES = 128u;

fn tile(direction: u32, row0: u32, quad: u32) {
  let quads = params.hidden_quads;
  var sum_a = vec4f();
  var sum_b = vec4f();
  var sum_c = vec4f();
  var sum_d = vec4f();
  if (has_product()) {
    let first = product_read(direction) + row0 * params.product_quads;
    var at = direction * params.weight_stride + FIRST_GATE * quads + quad;
    for (var k = 0u; k < params.product_quads; k++) {
      let h_k = h[first + k];
      sum_a += weight_block(at) * h_k;
      if (COUNT > 1u) {
        sum_b += weight_block(at + quads) * h_k;
      }
      if (COUNT > 2u) {
        sum_c += weight_block(at + 2u * quads) * h_k;
      }
      if (COUNT > 3u) {
        sum_d += weight_block(at + 3u * quads) * h_k;
      }
      at += 4u * GATES * quads;
    }
  }
  finish(direction, row0, quad, to_sums(sum_a, sum_b, sum_c, sum_d));
}
