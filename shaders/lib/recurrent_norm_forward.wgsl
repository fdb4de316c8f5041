// A forward step with layer normalization, after the product v = h·W_hhᵀ: one workgroup takes one batch row.
// Parameters, and what every cell does with the product. Places are in vec4, one for each direction; workgroup z
// is the direction.
//
//   gates    [D, N, slots, H] in: a, the normalized x·W_ihᵀ with its biases; out when save: the gates' values
//   rows     [D, N, slots, H] in: v; out when save: v normalized, before gain and bias.
//            From scales_at on, when save: (1/√(var + ε) of v; of an LSTM's new c the mean, 1/√(var + ε); 0) by row
//   vectors  for each direction [3, slots, H]: gain, bias, b_hh; for an LSTM then [2, H]: gain, bias of c
//   h, c     states by step, [B, H] each
//   mask     [T·B]            0 where a sequence has ended
//   seed     one whole number

struct Params {
  gates_row: vec2u,      // row of the gates
  rows_row: vec2u,       // row of the product
  h_read: vec2u,         // the state before this step
  h_write: vec2u,        // the state after it
  dropped_write: vec2u,  // the state after, with recurrent dropout
  c_read: vec2u,
  c_write: vec2u,
  mask_row: vec2u,       // t·B
  zoneout: vec2f,        // of h, of c
  zoneout_threshold: vec2u,
  slots: u32,
  hidden_quads: u32,     // H/4
  vector_stride: u32,    // from one direction's vectors to the next
  scales_at: u32,
  has_mask: u32,
  has_previous: u32,     // 0: the state before this step is zero
  save: u32,             // 1: keep what the backward pass needs
  activation: u32,
  gate_activation: u32,
  output_activation: u32,
  coupled: u32,          // 1: f = 1 − i
  gate_clip: f32,
  epsilon: f32,
  training: u32,
  stream: u32,
  hidden_width: u32,     // H as it is, unpadded
  state_width: u32,
  dropout_threshold: u32,
  dropout_scale: f32,    // 1/(1−p), 0 without recurrent dropout
}

fn h_read(direction: u32) -> u32 {
  return params.h_read[direction];
}

fn h_write(direction: u32) -> u32 {
  return params.h_write[direction];
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction];
}

fn has_previous() -> bool {
  return params.has_previous != 0u;
}

// The recurrent part of a gate: v normalized, with gain and biases.
fn recurrent_part(direction: u32, row: u32, slot: u32, quad: u32, moments: vec2f) -> vec4f {
  let quads = params.hidden_quads;
  let length = params.slots * quads;
  let at = (params.rows_row[direction] + row) * length + slot * quads + quad;
  let normalized = select(vec4f(0.0), (rows[at] - moments.x) * moments.y, within(quad));
  if (params.save != 0u) {
    rows[at] = normalized;
  }
  let vector = direction * params.vector_stride + slot * quads + quad;
  return vectors[vector] * normalized + vectors[vector + length] + vectors[vector + 2u * length];
}

fn recurrent_moments(direction: u32, row: u32, local: u32) -> vec2f {
  return row_moments((params.rows_row[direction] + row) * params.slots * params.hidden_quads, local);
}

// Keeps what tells the normalized values of a row; c as recurrent_norm_lstm_forward.wgsl says.
fn save_scales(direction: u32, row: u32, local: u32, scale: f32, c_moments: vec2f) {
  if (params.save != 0u && local == 0u) {
    rows[params.scales_at + params.rows_row[direction] + row] = vec4f(scale, c_moments, 0.0);
  }
}
