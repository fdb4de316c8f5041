// A backward step with layer normalization, after the product of the gradients from the step that came next with
// W_hh: one workgroup takes one batch row. Parameters, and what every cell does with them. Places are in vec4, one
// for each direction; workgroup z is the direction.
//
//   gates    [D, N, slots, H] in: the gates' values; out: the gradients of their pre-activations
//   rows     [D, N, slots, H] in: v = h·W_hhᵀ normalized; out: the gradient of v.
//            From scales_at on: what recurrent_norm_forward.wgsl kept there
//   vectors  for each direction [3, slots, H]: gain, bias, b_hh; for an LSTM then [2, H]: gain, bias of c
//   dy       [D, T·B, H]      gradient of the outputs, read when has_dy
//   carry    gradients of h and c, [B, H] each, on their way to the step before; the product [B, H], read when
//            has_next; and gradients of gains and biases by batch row, [B, sum_slots, H], summed over the steps
//   mask     [T·B]            0 where a sequence has ended
//   seed     one whole number

struct Params {
  gates_row: vec2u,      // row of the gates
  rows_row: vec2u,       // row of the recurrent product
  h_read: vec2u,         // the state before this step
  c_read: vec2u,
  dy_row: vec2u,
  mask_row: vec2u,       // t·B
  carry_h: vec2u,        // gradient of h that travels beside the product
  carry_c: vec2u,        // gradient of c
  product: vec2u,        // the product; once read, room for what a row's sums must wait for
  sums: vec2u,           // gradients of gains and biases
  zoneout: vec2f,        // of h, of c
  zoneout_threshold: vec2u,
  slots: u32,
  sum_slots: u32,
  split_slot: u32,       // the slot whose recurrent part has a gradient of its own, which waits at product
  hidden_quads: u32,     // H/4
  vector_stride: u32,    // from one direction's vectors to the next
  scales_at: u32,
  first_step: u32,       // 1: the last in time, the first to run
  has_next: u32,         // 0: there is no product
  has_previous: u32,     // 0: the state before this step is zero
  has_dy: u32,
  has_carry_h: u32,      // 0: it is zero
  has_carry_c: u32,      // 0: it is zero
  has_mask: u32,
  activation: u32,
  gate_activation: u32,
  output_activation: u32,
  coupled: u32,          // 1: f = 1 − i
  gate_clip: f32,
  training: u32,
  stream: u32,
  hidden_width: u32,     // H as it is, unpadded
  state_width: u32,
  dropout_threshold: u32,
  dropout_scale: f32,    // 1/(1−p), 0 without recurrent dropout
}

fn mask_row(direction: u32) -> u32 {
  return params.mask_row[direction];
}

// The whole gradient of h after this step: through the product, beside it, and from the outputs.
fn state_gradient(direction: u32, row: u32, quad: u32) -> vec4f {
  let at = row * params.hidden_quads + quad;
  var dh = vec4f();
  if (params.has_next != 0u) {
    dh = carry[params.product[direction] + at] * recurrent_dropout(direction, row, quad);
  }
  if (params.has_carry_h != 0u) {
    dh += carry[params.carry_h[direction] + at];
  }
  if (params.has_dy != 0u && is_step(direction, row)) {
    dh += dy[(params.dy_row[direction] + row) * params.hidden_quads + quad];
  }
  return dh;
}

// How much of a state goes past this step: all of it where there is no step.
fn passed_share(direction: u32, row: u32, quad: u32, state: u32) -> vec4f {
  if (!is_step(direction, row)) {
    return vec4f(1.0);
  }
  return zoneout_share(direction, row, quad, params.hidden_width, state);
}

// Adds to a gradient that is summed over the steps; the first to run assigns it.
fn add_sum(direction: u32, row: u32, slot: u32, quad: u32, value: vec4f) {
  let at = params.sums[direction] + (row * params.sum_slots + slot) * params.hidden_quads + quad;
  if (params.first_step != 0u) {
    carry[at] = value;
  } else {
    carry[at] += value;
  }
}

fn recurrent_gradient(direction: u32, row: u32, slot: u32, quad: u32) -> vec4f {
  let quads = params.hidden_quads;
  if (slot == params.split_slot) {
    return carry[params.product[direction] + row * quads + quad];
  }
  return gates[((params.gates_row[direction] + row) * params.slots + slot) * quads + quad];
}

// Through the normalization of v, from the gradients of the gates: dv = (e − mean(e) − v̂·mean(e⊙v̂))/√(var + ε) with
// e = gain⊙d. Begins the sums with the gains' gradients, slot by slot.
fn recurrent_backward(direction: u32, row: u32, local: u32) {
  let quads = params.hidden_quads;
  let place = params.rows_row[direction] + row;
  var sum = vec4f();
  var product = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let d = recurrent_gradient(direction, row, slot, quad);
      let normalized = rows[(place * params.slots + slot) * quads + quad];
      add_sum(direction, row, slot, quad, d * normalized);
      let e = d * vectors[direction * params.vector_stride + slot * quads + quad];
      sum += e;
      product += e * normalized;
    }
  }
  let mean = row_mean(sum, params.slots, local);
  let slope = row_mean(product, params.slots, local);
  let scale = rows[params.scales_at + place].x;
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let at = (place * params.slots + slot) * quads + quad;
      let gain = vectors[direction * params.vector_stride + slot * quads + quad];
      let e = recurrent_gradient(direction, row, slot, quad) * gain;
      rows[at] = select(vec4f(0.0), scale * (e - mean - rows[at] * slope), within(quad));
    }
  }
}
