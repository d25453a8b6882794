// Every wait of the run is bounded here.
const LIMIT_SECONDS = 10;

export function within(promise, awaited) {
  // Made before the wait: afterwards the stack no longer leads to who waited.
  const failure = new Error(`waited ${LIMIT_SECONDS} s in vain for ${awaited}`);
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failure), LIMIT_SECONDS * 1000);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
