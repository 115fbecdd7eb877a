// Work that is done a few at a time.

/** A function that does what it is given, in that order, so many at once; gives what that gives. */
export function turns(most) {
  const line = [];
  let working = 0;
  const next = () => {
    while (working < most && line.length) {
      working += 1;
      line.shift()().finally(() => {
        working -= 1;
        next();
      });
    }
  };
  return (work) =>
    new Promise((resolve, reject) => {
      line.push(() => work().then(resolve, reject));
      next();
    });
}
