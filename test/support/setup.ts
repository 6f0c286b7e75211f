import './narrow-signals.js';
import path from 'node:path';
import { sharedNumpyWheel } from './shared-material.js';

// The published SDKs import NumPy: a real SDK wheel given alone is completed with the NumPy wheel at hand.
const wheel = process.env.PROCVISION_SDK_WHEEL;
const numpy = sharedNumpyWheel();
if (wheel && !wheel.includes(path.delimiter) && numpy) {
  process.env.PROCVISION_SDK_WHEEL = [wheel, numpy].join(path.delimiter);
}
