// Loaded before Azurite, which hears each signal once: a second one would end it at once, while it still writes
// what it was told. Linux may send the signal of a dead parent several times, once for each of its threads.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {});
}
