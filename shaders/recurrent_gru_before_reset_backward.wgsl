// The second half of one time step of the backward pass of a GRU layer with the reset before the product, both
// directions at once: d(r⊙h) = dn·W_hn, which gives the derivative of r and joins the carried gradient of h.
//
//   gates   [D, T·B, 3, H] in: r and the gradients of z,n; out: that of r before its activation
//   weight  [D, 3, H, H]   W_hh: gate, unit, k
//   h       states by step, [B, H] each
//   dy      bound for the first half's sake
//   carry   gradient of h beside the product [B, H]; added to
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
  let first = (gates_row(direction) + row) * 3u * quads + quad;
  if (!is_step(direction, row)) {
    gates[first] = vec4f(0.0);
    return;
  }
  let r = gates[first];
  var h_old = vec4f();
  if (has_previous()) {
    h_old = h[product_read(direction) + at];
  }
  gates[first] = sum * h_old * gate_slope(r);
  carry[params.carry_h[direction] + at] += sum * r * recurrent_dropout(direction, row, quad);
}
