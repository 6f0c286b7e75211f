import type { InspectionResult } from '../../src/index.js';

/** A result as a supervisor gives it. */
export function resultOf(
  verdict: 'OK' | 'NG' = 'OK',
  over: Partial<InspectionResult> = {},
): InspectionResult {
  const ng =
    verdict === 'NG' ? { ng_reason: 'scratch', defect_rects: [{ x: 1, y: 2, width: 3, height: 4 }] } : {};
  return {
    status: 'OK',
    message: '',
    data: { result_status: verdict, ...ng },
    requestId: 'r-1',
    worker: 0,
    attempts: 1,
    timing: { startMs: 0, queueMs: 1, frameMs: 2, callMs: 3, totalMs: 6 },
    name: 'sample',
    version: '1.0.0',
    warnings: [],
    proof: {
      by: 'worker',
      images: [{ id: 'f', generation: 1, sizeBytes: 12, checksum: '0badcafe', method: 'crc32' }],
    },
    ...over,
  };
}

/** A picture of these bytes. */
export function pictureOf(content: string, type: 'ng_image' | 'roi_crop' = 'ng_image') {
  return { encoded: Buffer.from(content), contentType: 'image/jpeg', width: 4, height: 3, type };
}
