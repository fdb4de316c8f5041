// One time step of the backward pass of an LSTM layer, both directions at once: recurrent product and gate
// derivatives in one dispatch. dh = dy + dgates(next)·W_hh, dc = f(next)⊙dc(next) + dh⊙o⊙tanh'(c), then through
// each gate. With a projection the product is dh·W_hr instead, whose dh recurrent_project_backward.wgsl computes.
//
//   gates    [D, T·B, 4, H] in: i,f,g,o; out: the gradients of their pre-activations; elsewhere in it, the source
//   weight   [D, n, H]      W_hh: gate and unit, k; or W_hr
//   c        states by step, [B, H] each
//   dy       [D, T·B, H]    gradient of the outputs, read when has_dy
//   carry    gradients of h and c, [B, H] each, on their way to the step before; at the end, of the initial states;
//            and, with peepholes, their gradients by batch row, [3, B, H], summed over the steps
//   mask     [T·B]          0 where a sequence has ended
//   vectors  [D, 7, H]      peepholes of i,f,o behind four biases, read when has_peephole
//   seed     one whole number
//
// A tile is in lib/recurrent_backward_16.wgsl, _8 or _1: the product, then for each row and four units
// finish(). Widths are padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> c: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(7) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn add_peephole_gradients(direction: u32, at: u32, d_i: vec4f, d_f: vec4f, d_o: vec4f) {
  if (!HAS_OPTIONS || params.has_peephole == 0u) {
    return;
  }
  let size = params.batch * params.hidden_quads;
  let first = params.peephole_sums[direction] + at;
  if (params.first_step != 0u) {
    carry[first] = d_i;
    carry[first + size] = d_f;
    carry[first + 2u * size] = d_o;
  } else {
    carry[first] += d_i;
    carry[first + size] += d_f;
    carry[first + 2u * size] += d_o;
  }
}

// The cell backwards, for batch row `row` and units 4·quad to 4·quad + 3, from the product.
fn finish(direction: u32, row: u32, quad: u32, sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let dh = state_gradient(direction, row, quad, sum);
  if (only_initial()) {
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  var dc_next = vec4f();
  if (has_carry_c()) {
    dc_next = carry[params.carry_c[direction] + at];
  }
  let first = (gates_row(direction) + row) * 4u * quads + quad;
  if (!is_step(direction, row)) {
    for (var slot = 0u; slot < 4u; slot++) {
      gates[first + slot * quads] = vec4f(0.0);
    }
    carry[params.carry_c[direction] + at] = dc_next;
    add_peephole_gradients(direction, at, vec4f(0.0), vec4f(0.0), vec4f(0.0));
    if (params.keep_carry_h != 0u) {
      carry[params.carry_h[direction] + at] = dh;
    }
    return;
  }
  let i = gates[first];
  let f = gates[first + quads];
  let g = gates[first + 2u * quads];
  let o = gates[first + 3u * quads];
  var c_old = vec4f();
  if (has_previous()) {
    c_old = c[c_read(direction) + at];
  }
  var c_new = f * c_old + i * g;
  if (HAS_OPTIONS && params.cell_clip > 0.0) {
    c_new = clamp(c_new, vec4f(-params.cell_clip), vec4f(params.cell_clip));
  }
  let out = output(c_new);
  // In loops, not call by call: compilers write every call out.
  var shares = array<vec4f, 2>();
  for (var state = 0u; state < 2u; state++) {
    let width = select(params.hidden_width, params.state_width, state == 0u);
    shares[state] = zoneout_share(direction, row, quad, width, state);
  }
  let h_share = shares[0];
  let c_share = shares[1];
  var slopes = array<vec4f, 3>(i, f, o);
  for (var k = 0u; k < 3u; k++) {
    slopes[k] = gate_slope(slopes[k]);
  }
  let dh_new = dh * (1.0 - h_share);
  let d_o = dh_new * out * slopes[2];
  var dc = dh_new * o * output_slope(out) + dc_next * (1.0 - c_share);
  let vector = direction * params.vector_stride + quad;
  if (HAS_OPTIONS && params.has_peephole != 0u) {
    dc += d_o * vectors[vector + 6u * quads];
  }
  if (HAS_OPTIONS && params.cell_clip > 0.0) {
    dc = select(vec4f(0.0), dc, abs(c_new) < vec4f(params.cell_clip));
  }
  var d_i = dc * g * slopes[0];
  var d_f = dc * c_old * slopes[1];
  if (HAS_OPTIONS && params.coupled != 0u) {
    d_i = dc * (g - c_old) * slopes[0];
    d_f = vec4f(0.0);
  }
  var dc_old = dc * f + dc_next * c_share;
  if (HAS_OPTIONS && params.has_peephole != 0u) {
    add_peephole_gradients(direction, at, d_i * c_old, d_f * c_old, d_o * c_new);
    dc_old += d_i * vectors[vector + 4u * quads] + d_f * vectors[vector + 5u * quads];
  }
  carry[params.carry_c[direction] + at] = dc_old;
  if (params.keep_carry_h != 0u) {
    carry[params.carry_h[direction] + at] = dh * h_share;
  }
  gates[first] = d_i;
  gates[first + quads] = d_f;
  gates[first + 2u * quads] = dc * i * candidate_slope(g);
  gates[first + 3u * quads] = d_o;
}
