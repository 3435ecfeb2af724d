// Thumbnails: the picture over its placeholder, or a sign where there is no picture.
import { useMemo, useState } from "react";
import { thumbHashToDataURL } from "thumbhash";
import { Icon } from "../../ui/icon";
import styles from "./picture.module.css";

interface Props {
  url: string | null | undefined;
  thumbhash: string | null;
  alt: string;
  /** Whether all of it is shown, or its middle. */
  whole?: boolean;
}

export function Picture({ url, thumbhash, alt, whole = false }: Props) {
  // A signed URL that has run out is as good as none.
  const [broken, setBroken] = useState<string>();
  const placeholder = useMemo(() => {
    if (!thumbhash) return undefined;
    return `url(${thumbHashToDataURL(Uint8Array.from(atob(thumbhash), (char) => char.charCodeAt(0)))})`;
  }, [thumbhash]);
  const shown = url && url !== broken ? url : undefined;
  return (
    <span className={styles.picture} data-whole={whole || undefined} style={{ backgroundImage: placeholder }}>
      {shown ? (
        <img src={shown} alt={alt} loading="lazy" decoding="async" onError={() => setBroken(shown)} />
      ) : (
        !placeholder && <Icon name="file" />
      )}
    </span>
  );
}

/** In the row of a table. */
export function Thumb(props: Pick<Props, "url" | "thumbhash">) {
  return (
    <span className={styles.thumb}>
      <Picture {...props} alt="" />
    </span>
  );
}
