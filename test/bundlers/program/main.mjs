// From a zip to a verdict in one file, as a host would be bundled: node main STATION ZIP [ASSETS]. Prints one line of JSON.
import { openRunner } from 'procvision-runner';

// No top-level await: a bundle that becomes CommonJS has none.
async function inspect([, , station, zip, assets]) {
  const runner = await openRunner(station, { assets });
  try {
    await runner.ensureInstalled(zip, { activate: ['A01'] });
    const image = { data: new Uint8Array(64 * 48 * 3).fill(200), width: 64, height: 48 };
    const { data, proof } = await runner.inspect('A01', image);
    return { verdict: data.result_status, proof: proof.by, listeners: process.listenerCount('SIGTERM') };
  } finally {
    await runner.close();
  }
}

inspect(process.argv).then(
  (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`),
  (error) => process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message })}\n`),
);
