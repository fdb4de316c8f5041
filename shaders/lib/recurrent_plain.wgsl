// Recurrent steps as PyTorch has them: sigmoid gates, tanh elsewhere, no zoneout, no recurrent dropout. What
// lib/recurrent_options.wgsl gives in general, in so little code that it compiles several times faster.

// Nothing of the options below this constant is compiled.
const HAS_OPTIONS = false;

fn is_step(direction: u32, row: u32) -> bool {
  return params.has_mask == 0u || mask[mask_row(direction) + row] != 0;
}

fn zoneout_share(direction: u32, row: u32, quad: u32, width: u32, state: u32) -> vec4f {
  return vec4f(0.0);
}

fn recurrent_dropout(direction: u32, row: u32, quad: u32) -> vec4f {
  return vec4f(1.0);
}

fn gate(x: vec4f) -> vec4f {
  return safe_sigmoid(x);
}

fn gate_slope(y: vec4f) -> vec4f {
  return y * (1.0 - y);
}

fn candidate(x: vec4f) -> vec4f {
  return safe_tanh(x);
}

fn candidate_slope(y: vec4f) -> vec4f {
  return 1.0 - y * y;
}

fn output(x: vec4f) -> vec4f {
  return safe_tanh(x);
}

fn output_slope(y: vec4f) -> vec4f {
  return 1.0 - y * y;
}
