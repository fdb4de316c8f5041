// One time step of the backward pass of a simple RNN layer, both directions at once: recurrent product and
// derivative in one dispatch. dh = dy + da(next)·W_hh, da = dh⊙f'(a).
//
//   gates   [D, T·B, H] in: the new state, before zoneout; out: da, the gradient before the activation
//   weight  [D, H, H]   W_hh: unit, k
//   dy      [D, T·B, H] gradient of the outputs, read when has_dy
//   carry   gradient of h that zoneout and ended sequences hand on; at the end, of the initial state
//   mask    [T·B]       0 where a sequence has ended
//   seed    one whole number
//
// A tile is in lib/recurrent_backward_16.wgsl, _8 or _1: the product, then for each row and four units
// finish(). Widths are padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(4) var<storage, read> mask: array<i32>;
@group(0) @binding(5) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The cell backwards, for batch row `row` and units 4·quad to 4·quad + 3, from the product.
fn finish(direction: u32, row: u32, quad: u32, sum: vec4f) {
  let at = row * params.hidden_quads + quad;
  let dh = state_gradient(direction, row, quad, sum);
  if (only_initial()) {
    carry[params.carry_h[direction] + at] = dh;
    return;
  }
  let place = gates_row(direction) * params.hidden_quads + at;
  var share = vec4f(1.0);
  if (is_step(direction, row)) {
    share = zoneout_share(direction, row, quad, params.state_width, 0u);
  }
  gates[place] = dh * (1.0 - share) * candidate_slope(gates[place]);
  if (params.keep_carry_h != 0u) {
    carry[params.carry_h[direction] + at] = dh * share;
  }
}
