// The entry point of a forward step for small batches: the recurrent product of one batch row and four units of each
// gate in one invocation, then finish().
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
  var sums = Sums();
  if (params.has_product != 0u) {
    let first = params.product_read[direction] + row * params.product_quads;
    var at = direction * params.weight_stride + quad;
    for (var k = 0u; k < params.product_quads; k++) {
      let h_k = h[first + k];
      for (var c = 0u; c < 4u; c++) {
        sums += load_weight(at) * h_k[c];
        at += GATES * quads;
      }
    }
  }
  finish(direction, row, quad, sums);
}
