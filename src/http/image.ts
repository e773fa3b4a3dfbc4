import type { Image } from "../core/types.ts";

const DATA_URL = /^data:(image\/(?:png|jpeg|jpg|gif|webp));base64,([A-Za-z0-9+/]+={0,2})$/i;

/** What is said to somebody whose image cannot be used. */
export const NO_IMAGE = "An image has to be in the request, as PNG, JPEG, GIF or WebP: data:image/png;base64,…";

/**
 * An image that the request itself carries; undefined for anything else. An address would have to be fetched, and this
 * server fetches nothing for anybody.
 */
export function readImage(url: string): Image | undefined {
  const [, type, data] = DATA_URL.exec(url) ?? [];
  return type === undefined || data === undefined ? undefined : { mime_type: type.toLowerCase(), data };
}
