/** What an answer of Porchlight's has in its headers, once and for all: a control that sends the same bytes has them too. */
export const HEADERS = {
  "content-type": "application/json; charset=utf-8",
  "x-request-id": "6f1c2b9e-53a4-4c0e-9d27-8a4be0f3d715",
  etag: '"2q9x7d0k4m1vz"',
  "cache-control": "private, no-cache",
} as const;
