// Mean and 1/√(variance + ε) of the row of `slots` gates that begins at `first` in rows. Padding there is zero.

fn row_moments(first: u32, local: u32) -> vec2f {
  let quads = params.hidden_quads;
  var sum = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      sum += rows[first + slot * quads + quad];
    }
  }
  let mean = row_mean(sum, params.slots, local);
  var squares = vec4f();
  for (var quad = local; quad < quads; quad += 64u) {
    for (var slot = 0u; slot < params.slots; slot++) {
      let difference = select(vec4f(0.0), rows[first + slot * quads + quad] - mean, within(quad));
      squares += difference * difference;
    }
  }
  return vec2f(mean, 1.0 / sqrt(row_mean(squares, params.slots, local) + params.epsilon));
}
