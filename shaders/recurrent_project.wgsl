// The projection of one time step, both directions at once: h = m·W_hrᵀ with m = o⊙tanh(c), then zoneout, ended
// sequences and recurrent dropout as for any state.
//
//   weight  [D, H, R]  W_hrᵀ: row k, unit
//   h       in it, at product_read, m of this step [B, H]; states by step, [B, R] each
//   mask    [T·B]      0 where a sequence has ended
//   seed    one whole number
//
// A tile is in lib/recurrent_forward_16.wgsl, _8 or _1: the product, then for each row and four units finish().
// R and H are padded to multiples of four, with zeros.

@group(0) @binding(0) var<storage, read> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(2) var<storage, read> mask: array<i32>;
@group(0) @binding(3) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// The products of four units.
alias Sums = vec4f;

// Gates of the weight, and which of them are multiplied here.
const GATES = 1u;
const FIRST_GATE = 0u;
const COUNT = 1u;

fn to_sums(a: vec4f, b: vec4f, c: vec4f, d: vec4f) -> Sums {
  return a;
}

fn finish(direction: u32, row: u32, quad: u32, sums: Sums) {
  store_state(direction, row, quad, params.hidden_quads, sums);
}
