// Threefry-2x32, 20 rounds: a counter-based random function (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", 2011).

fn threefry2x32(key: vec2u, counter: vec2u) -> vec2u {
  let keys = array<u32, 3>(key.x, key.y, 0x1BD11BDAu ^ key.x ^ key.y);
  let rotations = array<u32, 8>(13u, 15u, 26u, 6u, 17u, 29u, 16u, 24u);
  var x = counter + key;
  for (var round = 0u; round < 20u; round++) {
    let rotation = rotations[round % 8u];
    x.x += x.y;
    x.y = ((x.y << rotation) | (x.y >> (32u - rotation))) ^ x.x;
    if (round % 4u == 3u) {
      let injection = round / 4u + 1u;
      x += vec2u(keys[injection % 3u], keys[(injection + 1u) % 3u] + injection);
    }
  }
  return x;
}
