// One layer's step of a model that reads or writes one token after another: what the cells share. The layer's input
// x is a row of a table by the token read, or the h of the layer below.
//
//   tokens   whole numbers; the token of batch row b at tokens_at + b
//   table    [V, ·]     by token: the finished product with W_ih, [G, H], or the x to be multiplied
//   weight   [K, G, H]  rows of W_ihᵀ, where x is to be multiplied, then rows of W_hhᵀ
//                       as lib/weights_float32.wgsl or lib/weights_float16.wgsl says
//   vectors  [2, G, H]  b_hh, b_ih
//   states   h of every layer before this step and after it, c of every layer: [B, H] each
//
// One invocation computes one batch row of four units. H is padded to a multiple of four, with zeros.

struct Params {
  batch: u32,         // B
  hidden_quads: u32,  // H/4
  input_quads: u32,   // length of x in vec4; 0 where the table holds products
  vocabulary: u32,    // V
  row_quads: u32,     // from one row of the table to the next; 0: x is at x_at
  tokens_at: u32,
  x_at: u32,          // places in states, in vec4
  h_read: u32,
  h_write: u32,
  c_at: u32,
  relu: u32,          // 1: the rnn cell's activation
}

@group(0) @binding(0) var<storage, read> tokens: array<i32>;
@group(0) @binding(1) var<storage, read> table: array<vec4f>;
@group(0) @binding(2) var<storage, read> weight: array<Weights>;
@group(0) @binding(3) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> states: array<vec4f>;
@group(1) @binding(0) var<uniform> params: Params;

// What one invocation works on.
struct Place {
  row: u32,   // batch row
  quad: u32,  // of units
  inside: bool,
  table_row: u32,
  x_at: u32,  // x and h of this batch row
  h_at: u32,
}

fn place_of(item: u32) -> Place {
  let inside = item < params.batch * params.hidden_quads;
  let row = min(item / params.hidden_quads, params.batch - 1u);
  var table_row = 0u;
  if (params.row_quads != 0u) {
    let token = clamp(tokens[params.tokens_at + row], 0, i32(params.vocabulary) - 1);
    table_row = u32(token) * params.row_quads;
  }
  let x_at = params.x_at + row * params.input_quads;
  let h_at = params.h_read + row * params.hidden_quads;
  return Place(row, item % params.hidden_quads, inside, table_row, x_at, h_at);
}

// Four numbers of x, then of h.
fn source(place: Place, k: u32) -> vec4f {
  let is_x = k < params.input_quads;
  var value = states[select(place.h_at + k - params.input_quads, place.x_at + k, is_x)];
  if (is_x && params.row_quads != 0u) {
    value = table[place.table_row + k];
  }
  return value;
}

// What a gate has beside the products.
fn bias(place: Place, gate: u32, gates: u32) -> vec4f {
  let at = gate * params.hidden_quads + place.quad;
  return vectors[at] + input_bias(place, gate, gates);
}

// As much of it as belongs to x.
fn input_bias(place: Place, gate: u32, gates: u32) -> vec4f {
  let at = gate * params.hidden_quads + place.quad;
  var sum = vectors[gates * params.hidden_quads + at];
  if (params.input_quads == 0u) {
    sum += table[place.table_row + at];
  }
  return sum;
}
