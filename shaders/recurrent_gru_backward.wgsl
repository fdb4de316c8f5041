// One time step of the backward pass of a GRU layer with the reset after the product, both directions at once:
// recurrent product and gate derivatives in one dispatch. dh = dy + z(next)⊙dh(next) + [dm, dr, dz](next)·W_hh
// with m = h·W_hnᵀ + b_hn, then through each gate.
//
//   gates   [D, T·B, 4, H] in: m,r,z,n; out: dm and the gradients of r,z,n before their activations
//   weight  [D, 3, H, H]   W_hh: gate, unit, k; weight_shift turns it so that n meets dm
//   h       states by step, [B, H] each
//   dy      [D, T·B, H]    gradient of the outputs, read when has_dy
//   carry   z⊙dh [B, H], on its way to the step before; at the end, the gradient of the initial state
//   mask    [T·B]          0 where a sequence has ended
//   seed    one whole number
//
// A tile is in lib/recurrent_backward_16.wgsl, _8 or _1: the product, then for each row and four units
// finish(). Widths are padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> h: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The cell backwards, for batch row `row` and units 4·quad to 4·quad + 3, from the product.
fn finish(direction: u32, row: u32, quad: u32, sum: vec4f) {
  let quads = params.hidden_quads;
  let at = row * quads + quad;
  let dh = state_gradient(direction, row, quad, sum);
  if (only_initial()) {
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  let first = (gates_row(direction) + row) * 4u * quads + quad;
  if (!is_step(direction, row)) {
    for (var slot = 0u; slot < 4u; slot++) {
      gates[first + slot * quads] = vec4f(0.0);
    }
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  let m = gates[first];
  let r = gates[first + quads];
  let z = gates[first + 2u * quads];
  let n = gates[first + 3u * quads];
  var h_old = vec4f();
  if (has_previous()) {
    h_old = h[h_read(direction) + at];
  }
  let share = zoneout_share(direction, row, quad, params.state_width, 0u);
  let dh_new = dh * (1.0 - share);
  let dn = dh_new * (1.0 - z) * candidate_slope(n);
  carry[params.carry_h[direction] + at] = z * dh_new + share * dh;
  gates[first] = dn * r;
  gates[first + quads] = dn * m * gate_slope(r);
  gates[first + 2u * quads] = dh_new * (h_old - n) * gate_slope(z);
  gates[first + 3u * quads] = dn;
}
