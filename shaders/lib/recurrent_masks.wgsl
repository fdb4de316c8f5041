// What may change a recurrent step beside its equations: steps that are not there, zoneout, recurrent dropout.
// Random numbers are those of dropout.wgsl: key (seed, stream), the element as counter, and what they are for.

fn is_step(direction: u32, row: u32) -> bool {
  return params.has_mask == 0u || mask[params.mask_row[direction] + row] != 0;
}

fn random_bits(first: u32, purpose: u32) -> vec4u {
  var bits = vec4u();
  for (var i = 0u; i < 4u; i++) {
    bits[i] = threefry2x32(vec2u(seed[0], params.stream), vec2u(first + i, purpose)).x >> 8u;
  }
  return bits;
}

// How much of the old state stays, by unit: 1 or 0 at random when training, the probability itself otherwise.
// A probability travels as its threshold ⌈p·2²⁴⌉ and as itself.
fn zoneout_share(direction: u32, row: u32, quad: u32, width: u32, state: u32) -> vec4f {
  if (params.zoneout[state] == 0.0) {
    return vec4f(0.0);
  }
  if (params.training == 0u) {
    return vec4f(params.zoneout[state]);
  }
  let element = (params.mask_row[direction] + row) * width + quad * 4u;
  let bits = random_bits(element, 1u + 2u * (state + 2u * direction));
  return select(vec4f(0.0), vec4f(1.0), bits < vec4u(params.zoneout_threshold[state]));
}

// What the state is multiplied by on its way into the recurrent product: the same at every step.
fn recurrent_dropout(direction: u32, row: u32, quad: u32) -> vec4f {
  if (params.dropout_scale == 0.0) {
    return vec4f(1.0);
  }
  let bits = random_bits(row * params.state_width + quad * 4u, 8u + direction);
  return select(vec4f(0.0), vec4f(params.dropout_scale), bits >= vec4u(params.dropout_threshold));
}
