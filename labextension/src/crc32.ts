/**
 * CRC-32 as in zlib, gzip and PNG (polynomial 0xEDB88320, reflected).
 *
 * Eight tables, eight bytes at a time ("slicing by 8"): about ten times as fast as byte by byte,
 * so that checking a piece costs less than sending it.
 */

const TABLES = makeTables();

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) {
      c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    tables[0][n] = c >>> 0;
  }
  for (let n = 0; n < 256; n++) {
    for (let t = 1; t < 8; t++) {
      const before = tables[t - 1][n];
      tables[t][n] = (before >>> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

/**
 * Checksum of some bytes.
 *
 * @param bytes - What to sum up.
 * @returns An unsigned 32-bit number.
 */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = 0xffffffff;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    const low = view.getUint32(i, true) ^ crc;
    const high = view.getUint32(i + 4, true);
    crc =
      t7[low & 0xff] ^
      t6[(low >>> 8) & 0xff] ^
      t5[(low >>> 16) & 0xff] ^
      t4[low >>> 24] ^
      t3[high & 0xff] ^
      t2[(high >>> 8) & 0xff] ^
      t1[(high >>> 16) & 0xff] ^
      t0[high >>> 24];
  }
  for (; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]) & 0xff];
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The value of the header `Upload-Checksum`: `crc32` and eight hexadecimal digits. */
export function checksumHeader(bytes: Uint8Array): string {
  return `crc32 ${crc32(bytes).toString(16).padStart(8, '0')}`;
}
