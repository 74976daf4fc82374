import { crc32 } from '../crc32';

const SAMPLES = 16;
const SIZE = 64 * 1024;

/**
 * Some bytes from all over a file, summed up: by it the same file is known again after a reload.
 *
 * Read is a mebibyte at most, however large the file is. Name, size and time are compared as well.
 */
export async function sampleOf(blob: Blob): Promise<string> {
  const step = Math.max(SIZE, Math.floor((blob.size - SIZE) / (SAMPLES - 1)));
  const parts: Blob[] = [];
  for (let i = 0; i < SAMPLES && i * step < blob.size; i++) {
    parts.push(blob.slice(i * step, i * step + SIZE));
  }
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return `crc32:${crc32(bytes).toString(16).padStart(8, '0')}`;
}
