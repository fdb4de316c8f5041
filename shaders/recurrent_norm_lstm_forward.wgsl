// One time step of an LSTM layer with layer normalization, both directions at once, after its product: i,f,o =
// σ(a + LN(v) + b), g = tanh(…), c = LN(f⊙c + i⊙g), h = o⊙tanh(c), where σ and tanh are the activations chosen;
// coupled, f = 1 − i. The bindings are in lib/recurrent_norm_forward.wgsl; the gates are i, f, g, o.
//
// One workgroup takes one batch row. Workgroups: (B, 1, D). H is padded to a multiple of four, with zeros.

@group(0) @binding(0) var<storage, read_write> gates: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(5) var<storage, read> mask: array<i32>;
@group(0) @binding(6) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

fn old_cell(direction: u32, at: u32) -> vec4f {
  if (params.has_previous == 0u) {
    return vec4f();
  }
  return c[params.c_read[direction] + at];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let direction = workgroup.z;
  let row = workgroup.x;
  let quads = params.hidden_quads;
  let moments = recurrent_moments(direction, row, local);
  let gates0 = (params.gates_row[direction] + row) * 4u * quads;
  // The sum of c, which waits where the new state will be.
  let waiting = params.c_write[direction] + row * quads;
  var sum = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    let first = gates0 + quad;
    let a_i = gates[first] + recurrent_part(direction, row, 0u, quad, moments);
    let a_f = gates[first + quads] + recurrent_part(direction, row, 1u, quad, moments);
    let a_g = gates[first + 2u * quads] + recurrent_part(direction, row, 2u, quad, moments);
    let a_o = gates[first + 3u * quads] + recurrent_part(direction, row, 3u, quad, moments);
    let i = gate(a_i);
    var f = 1.0 - i;
    if (!HAS_OPTIONS || params.coupled == 0u) {
      f = gate(a_f);
    }
    let g = candidate(a_g);
    let added = select(vec4f(0.0), f * old_cell(direction, row * quads + quad) + i * g, within(quad));
    c[waiting + quad] = added;
    sum += added;
    if (params.save != 0u) {
      gates[first] = i;
      gates[first + quads] = f;
      gates[first + 2u * quads] = g;
    }
    gates[first + 3u * quads] = gate(a_o);
  }
  let mean = row_mean(sum, 1u, local);
  var squares = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    let difference = select(vec4f(0.0), c[waiting + quad] - mean, within(quad));
    squares += difference * difference;
  }
  let scale = 1.0 / sqrt(row_mean(squares, 1u, local) + params.epsilon);
  let present = is_step(direction, row);
  for (var quad = local; quad < quads; quad += 64u) {
    let vector = direction * params.vector_stride + 12u * quads + quad;
    let c_new = vectors[vector] * ((c[waiting + quad] - mean) * scale) + vectors[vector + quads];
    let c_old = old_cell(direction, row * quads + quad);
    let kept = mix(c_new, c_old, zoneout_share(direction, row, quad, params.hidden_width, 1u));
    c[waiting + quad] = select(c_old, kept, present);
    let h_new = gates[gates0 + 3u * quads + quad] * output(c_new);
    store_state(direction, row, quad, quads, h_new);
  }
  save_scales(direction, row, local, moments.y, vec2f(mean, scale));
}
