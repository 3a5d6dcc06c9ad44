import type { TextAnswer } from "./endpoint.ts";

export const HTML = "text/html; charset=utf-8";
export const SCRIPT = "text/javascript; charset=utf-8";
export const STYLE = "text/css; charset=utf-8";

/** A file of a page, loaded when it is first asked for. */
export interface TextFile {
  readonly type: string;
  readonly load: () => Promise<{ readonly default: string }>;
}

/** What a page may do: load what is ours, and ask nobody else. @param styles what it may take styles from besides. */
export function policyOf(styles = ""): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self'${styles}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** A text that a browser takes for nothing but what it is. */
export function protectedText(text: string, type: string, policy: string): TextAnswer {
  return {
    text,
    headers: {
      "content-type": type,
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
  };
}
