/**
 * Tests whose subject is something from outside: wheels, pips and SDKs of the package index, or a browser. They are
 * skipped, with their reason, where that is not to be had, so they say nothing on a machine that has Node and Python
 * alone. `npm run test:outside` runs them, and `.ci/run` does; `npm test` leaves them out.
 */
export const OUTSIDE_TESTS = [
  'test/containment/joblib.test.ts',
  'test/containment/numba.test.ts',
  'test/integration/pictures.test.ts',
  'test/integration/published-sdks.test.ts',
  'test/package/pep440-against-pip.test.ts',
  'test/package/pep508-against-pip.test.ts',
  'test/page/*.test.ts',
  'test/python/resolver-against-pip.test.ts',
];
