// The first half of one time step of the backward pass of a GRU layer with the reset before the product, both
// directions at once: dh = dy + carry + [dr, dz](next)·[W_hr; W_hz], then the derivatives of z and n.
//
//   gates   [D, T·B, 3, H] in: r,z,n; out: r and the gradients of z,n before their activations
//   weight  [D, 3, H, H]   W_hh: gate, unit, k
//   h       states by step, [B, H] each
//   dy      [D, T·B, H]    gradient of the outputs, read when has_dy
//   carry   gradient of h beside the product [B, H]; at the end, of the initial state
//   mask    [T·B]          0 where a sequence has ended
//   seed    one whole number
//
// A tile is in lib/recurrent_backward_16.wgsl, _8 or _1: the product, then for each row and four units
// finish(). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> h: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn finish(direction: u32, row: u32, quad: u32, sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let dh = state_gradient(direction, row, quad, sum);
  if (only_initial()) {
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  let first = (gates_row(direction) + row) * 3u * quads + quad;
  if (!is_step(direction, row)) {
    gates[first + quads] = vec4f(0.0);
    gates[first + 2u * quads] = vec4f(0.0);
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  let z = gates[first + quads];
  let n = gates[first + 2u * quads];
  var h_old = vec4f();
  if (has_previous()) {
    h_old = h[h_read(direction) + at];
  }
  let share = zoneout_share(direction, row, quad, params.state_width, 0u);
  let dh_new = dh * (1.0 - share);
  carry[params.carry_h[direction] + at] = z * dh_new + share * dh;
  gates[first + quads] = dh_new * (h_old - n) * gate_slope(z);
  gates[first + 2u * quads] = dh_new * (1.0 - z) * candidate_slope(n);
}
