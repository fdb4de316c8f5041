// Four logits of one row of h: for kernels with h in vec4, weight [K, V], and the parameter quads (K/4).

fn logits_product(h_at: u32, quad: u32, class_quads: u32) -> vec4f {
  var sum = vec4f();
  for (var k = 0u; k < params.quads; k++) {
    let at = quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * class_quads;
    sum += weight_block(at) * h[h_at + k];
  }
  return sum;
}
