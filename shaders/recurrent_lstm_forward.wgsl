// One time step of an LSTM layer, both directions at once: recurrent product, gates and new state in one dispatch.
// An LSTM's step: i,f,o = σ(a + product + b), g = tanh(…), c = f⊙c + i⊙g, h = o⊙tanh(c), where σ and tanh are
// the activations chosen, and with what the parameters add: peepholes, clips, a coupled forget gate, zoneout.
//
//   gates    [D, T·B, 4, H] in: a = x·W_ihᵀ + b_ih, gates i,f,g,o; out when save: the gates' values
//   weight   [D, K, 4, H]   W_hhᵀ: row k, gate, unit
//   vectors  [D, 7, H]      b_hh of four gates, peepholes of i,f,o; read as far as the parameters say
//   h, c     states by step, [B, ·] each
//   mask     [T·B]          0 where a sequence has ended
//   seed     one whole number
//
// A tile is in lib/recurrent_forward_16.wgsl, _8 or _1: the recurrent product of every gate, then for each
// row and four units finish(). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The products of four units, a column for each gate.
alias Sums = mat4x4f;

// Gates of the weight, and which of them are multiplied here.
const GATES = 4u;
const FIRST_GATE = 0u;
const COUNT = 4u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return mat4x4f(a, b, c, d);
}

// For batch row `row` and units 4·quad to 4·quad + 3, from the products h·W_hhᵀ.
fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let first = (gates_row(direction) + row) * 4u * quads + quad;
  let vector = direction * params.vector_stride + quad;
  var a_i = gates[first] + sums[0];
  var a_f = gates[first + quads] + sums[1];
  var a_g = gates[first + 2u * quads] + sums[2];
  var a_o = gates[first + 3u * quads] + sums[3];
  if (params.has_bias != 0u) {
    a_i += vectors[vector];
    a_f += vectors[vector + quads];
    a_g += vectors[vector + 2u * quads];
    a_o += vectors[vector + 3u * quads];
  }
  var c_old = vec4f();
  if (has_previous()) {
    c_old = c[c_read(direction) + at];
  }
  if (HAS_OPTIONS && params.has_peephole != 0u) {
    a_i += vectors[vector + 4u * quads] * c_old;
    a_f += vectors[vector + 5u * quads] * c_old;
  }
  let i = gate(a_i);
  let g = candidate(a_g);
  var f = 1.0 - i;
  if (!HAS_OPTIONS || params.coupled == 0u) {
    f = gate(a_f);
  }
  var c_new = f * c_old + i * g;
  if (HAS_OPTIONS && params.cell_clip > 0.0) {
    c_new = clamp(c_new, vec4f(-params.cell_clip), vec4f(params.cell_clip));
  }
  if (HAS_OPTIONS && params.has_peephole != 0u) {
    a_o += vectors[vector + 6u * quads] * c_new;
  }
  let o = gate(a_o);
  let present = is_step(direction, row);
  let kept = mix(c_new, c_old, zoneout_share(direction, row, quad, params.hidden_width, 1u));
  c[c_write(direction) + at] = select(c_old, kept, present);
  let h_new = o * output(c_new);
  if (params.projected != 0u) {
    h[h_write(direction) + at] = select(vec4f(0.0), h_new, present);
  } else {
    store_state(direction, row, quad, quads, h_new);
  }
  if (params.save != 0u) {
    gates[first] = i;
    gates[first + quads] = f;
    gates[first + 2u * quads] = g;
    gates[first + 3u * quads] = o;
  }
}
