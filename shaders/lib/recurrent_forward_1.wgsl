// The entry point of a forward step for small batches, and where larger tiles would leave a GPU idle: the recurrent
// product of one batch row and four units of each gate in one invocation, then finish().
// Workgroups: (⌈B·(H/4) / 16⌉, 1, D).

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  let quads = params.hidden_quads;
  let quad = id.x % quads;
  let row = id.x / quads;
  if (row >= params.batch) {
    return;
  }
  var sum_a = vec4f();
  var sum_b = vec4f();
  var sum_c = vec4f();
  var sum_d = vec4f();
  if (params.has_product != 0u) {
    let first = params.product_read[direction] + row * params.product_quads;
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
  finish(direction, row, quad, to_sums(sum_a, sum_b, sum_c, sum_d));
}
