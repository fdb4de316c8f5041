// One step of a GRU layer: r,z = σ(x·W_ihᵀ + h·W_hhᵀ + b), n = tanh(x·W_inᵀ + b_in + r⊙(h·W_hnᵀ + b_hn)),
// h = (1−z)⊙n + z⊙h. Bindings and parameters are in lib/generate.wgsl.
//
// Workgroups: ⌈B·(H/4) / 32⌉.

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let place = place_of(id.x);
  let quads = params.hidden_quads;
  var r_sum = vec4f();
  var z_sum = vec4f();
  var x_sum = vec4f(); // of n, by x
  var h_sum = vec4f(); // of n, by h
  var begin = 0u;
  var end = params.input_quads;
  for (var part = 0u; part < 2u; part++) {
    for (var k = begin; k < end; k++) {
      let s = source(place, k);
      var at = place.quad + (vec4u(k * 4u) + vec4u(0u, 1u, 2u, 3u)) * (3u * quads);
      r_sum += weight_block(at) * s;
      at += quads;
      z_sum += weight_block(at) * s;
      at += quads;
      h_sum += weight_block(at) * s;
    }
    if (part == 0u) {
      x_sum = h_sum;
      h_sum = vec4f();
    }
    begin = end;
    end += quads;
  }
  if (place.inside) {
    let at = place.row * quads + place.quad;
    let r = safe_sigmoid(r_sum + bias(place, 0u, 3u));
    let z = safe_sigmoid(z_sum + bias(place, 1u, 3u));
    let m = h_sum + vectors[2u * quads + place.quad];
    let n = safe_tanh(x_sum + input_bias(place, 2u, 3u) + r * m);
    states[params.h_write + at] = mix(n, states[params.h_read + at], z);
  }
}
