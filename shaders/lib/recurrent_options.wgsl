// Recurrent steps in general: the activations chosen, of clamped pre-activations; with the random masks of
// lib/recurrent_masks.wgsl. Derivatives are told from results.

const HAS_OPTIONS = true;

fn gate(x: vec4f) -> vec4f {
  return activate(params.gate_activation, clipped(x, params.gate_clip));
}

fn gate_slope(y: vec4f) -> vec4f {
  return clipped_slope(params.gate_activation, y, params.gate_clip);
}

fn candidate(x: vec4f) -> vec4f {
  return activate(params.activation, clipped(x, params.gate_clip));
}

fn candidate_slope(y: vec4f) -> vec4f {
  return clipped_slope(params.activation, y, params.gate_clip);
}

fn output(x: vec4f) -> vec4f {
  return activate(params.output_activation, x);
}

fn output_slope(y: vec4f) -> vec4f {
  return slope(params.output_activation, y);
}
