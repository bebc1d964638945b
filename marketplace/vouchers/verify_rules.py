"""What must hold of the ledger, as queries that return the rows for which it does not."""

from __future__ import annotations

COUNTERS = """
SELECT a.id, a.guarded, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
       COALESCE(s.dp, 0), COALESCE(s.dd, 0), COALESCE(s.cp, 0), COALESCE(s.cd, 0)
FROM ledger_account a LEFT JOIN (
  SELECT account, SUM(dp) AS dp, SUM(dd) AS dd, SUM(cp) AS cp, SUM(cd) AS cd FROM (
    SELECT t.debit_account AS account,
           CASE WHEN t.kind = 'pending' AND r.id IS NULL THEN t.amount ELSE 0 END AS dp,
           CASE WHEN t.kind IN ('post', 'direct', 'reversal') THEN t.amount ELSE 0 END AS dd,
           0 AS cp, 0 AS cd
    FROM ledger_transfer t LEFT JOIN ledger_transfer r ON r.pending_id = t.id
    UNION ALL
    SELECT t.credit_account, 0, 0,
           CASE WHEN t.kind = 'pending' AND r.id IS NULL THEN t.amount ELSE 0 END,
           CASE WHEN t.kind IN ('post', 'direct', 'reversal') THEN t.amount ELSE 0 END
    FROM ledger_transfer t LEFT JOIN ledger_transfer r ON r.pending_id = t.id
  ) m GROUP BY account
) s ON s.account = a.id
WHERE a.debits_pending <> COALESCE(s.dp, 0) OR a.debits_posted <> COALESCE(s.dd, 0)
   OR a.credits_pending <> COALESCE(s.cp, 0) OR a.credits_posted <> COALESCE(s.cd, 0)
   OR (a.guarded AND a.debits_pending + a.debits_posted > a.credits_posted)
   OR s.account IS NULL
ORDER BY a.id LIMIT :most
"""

# Each yields (row, detail). What the constraints already forbid is asked again, because whoever
# changes a row by hand can drop a constraint first.
QUERIES: tuple[tuple[str, str, str], ...] = (
    (
        "ledger_transfer",
        "an account it names is missing or of another unit",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_account d ON d.id = t.debit_account AND d.unit = t.unit
           LEFT JOIN ledger_account c ON c.id = t.credit_account AND c.unit = t.unit
           WHERE d.id IS NULL OR c.id IS NULL ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it is malformed",
        """SELECT serial, id FROM ledger_transfer WHERE amount <= 0 OR debit_account = credit_account
           OR kind NOT IN ('pending', 'post', 'void', 'expire', 'direct', 'reversal')
           OR (kind IN ('post', 'void', 'expire')) <> (pending_id IS NOT NULL)
           OR (kind = 'reversal') <> (reverses_id IS NOT NULL)
           OR (kind = 'post') <> (visit_id IS NOT NULL) ORDER BY serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it does not fit the pending transfer that it resolves",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_transfer p ON p.id = t.pending_id
           WHERE t.pending_id IS NOT NULL AND (p.id IS NULL OR p.kind <> 'pending'
             OR p.debit_account <> t.debit_account OR p.unit <> t.unit OR t.amount > p.amount
             OR p.serial >= t.serial OR p.work_order_id <> t.work_order_id
             OR (t.kind <> 'post' AND
                 (t.amount <> p.amount OR t.credit_account <> p.credit_account)))
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a pending transfer is resolved twice",
        """SELECT MIN(serial), pending_id FROM ledger_transfer WHERE pending_id IS NOT NULL
           GROUP BY pending_id HAVING COUNT(*) > 1 ORDER BY 1 LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "it is not the mirror of its twin",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN ledger_transfer p ON p.id = t.reverses_id
           WHERE t.reverses_id IS NOT NULL AND (p.id IS NULL
             OR p.kind NOT IN ('post', 'direct') OR p.debit_account <> t.credit_account
             OR p.credit_account <> t.debit_account OR p.amount <> t.amount OR p.unit <> t.unit
             OR p.serial >= t.serial)
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "two transfers share an id or a twin",
        """SELECT MIN(serial), id FROM ledger_transfer GROUP BY id HAVING COUNT(*) > 1
           UNION ALL SELECT MIN(serial), reverses_id FROM ledger_transfer
           WHERE reverses_id IS NOT NULL GROUP BY reverses_id HAVING COUNT(*) > 1
           ORDER BY 1 LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a hold belongs to no share",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN price_share f ON f.pending_id = t.id
           LEFT JOIN price_share m ON m.pending_minutes_id = t.id
           WHERE t.kind = 'pending' AND f.work_order_id IS NULL AND m.work_order_id IS NULL
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a capture has no redemption, or another visit's",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN redemption r ON r.work_order_id = t.work_order_id AND r.visit_id = t.visit_id
           WHERE t.kind = 'post' AND r.work_order_id IS NULL ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_transfer",
        "a grant has no entitlement",
        """SELECT t.serial, t.id FROM ledger_transfer t
           LEFT JOIN entitlement e ON e.account_id = t.credit_account
           WHERE t.code IN ('grant', 'award', 'replacement', 'top_up', 'gift') AND e.account_id IS NULL
           ORDER BY t.serial LIMIT :most""",
    ),
    (
        "ledger_account",
        "its district is not that of what opened it",
        """SELECT a.id, a.district_code FROM ledger_account a
           JOIN (SELECT account, MIN(serial) AS serial FROM (
                   SELECT debit_account AS account, MIN(serial) AS serial FROM ledger_transfer
                   WHERE debit_account LIKE 'owed:%' GROUP BY debit_account
                   UNION ALL SELECT credit_account, MIN(serial) FROM ledger_transfer
                   WHERE credit_account LIKE 'owed:%' GROUP BY credit_account) b
                 GROUP BY account) f ON f.account = a.id
           JOIN ledger_transfer t ON t.serial = f.serial
           WHERE (t.kind = 'pending'
                  AND t.credit_account NOT LIKE 'promised:OWN:' || a.district_code || ':%')
              OR (t.code = 'family_account'
                  AND t.debit_account <> 'bank:' || a.district_code)
           ORDER BY a.id LIMIT :most""",
    ),
    (
        "price_split",
        "its shares do not sum to its price",
        """SELECT s.work_order_id, s.price_fen FROM price_split s LEFT JOIN (
             SELECT work_order_id, revision, SUM(fen) AS fen FROM price_share
             GROUP BY work_order_id, revision
           ) p ON p.work_order_id = s.work_order_id AND p.revision = s.revision
           WHERE s.price_fen <> COALESCE(p.fen, 0) ORDER BY s.work_order_id LIMIT :most""",
    ),
    (
        "price_split",
        "its state is not what the ledger says",
        """SELECT s.work_order_id, s.state FROM price_split s LEFT JOIN (
             SELECT p.work_order_id, p.revision, COUNT(*) AS shares, COUNT(h.id) AS holds,
               COUNT(r.id) AS resolved,
               SUM(CASE WHEN r.kind = 'post' THEN 1 ELSE 0 END) AS posts,
               COUNT(v.id) AS mirrors
             FROM price_share p
             LEFT JOIN ledger_transfer h ON h.id = p.pending_id
             LEFT JOIN ledger_transfer r ON r.pending_id = h.id
             LEFT JOIN ledger_transfer v ON v.reverses_id = r.id
             GROUP BY p.work_order_id, p.revision
           ) l ON l.work_order_id = s.work_order_id AND l.revision = s.revision
           WHERE l.work_order_id IS NOT NULL AND NOT (
             (s.state = 'expected' AND l.holds = 0)
             OR (s.state = 'released' AND l.posts = 0 AND l.resolved = l.holds
                 AND l.holds IN (0, l.shares))
             OR (s.state = 'held' AND l.holds = l.shares AND l.resolved = 0)
             OR (s.state = 'captured' AND l.holds = l.shares AND l.resolved = l.shares
                 AND l.mirrors = 0)
             OR (s.state = 'reversed' AND l.resolved = l.shares AND l.mirrors = l.posts))
           ORDER BY s.work_order_id LIMIT :most""",
    ),
    (
        "price_share",
        "it belongs to no split",
        """SELECT p.work_order_id, p.position FROM price_share p
           LEFT JOIN price_split s ON s.work_order_id = p.work_order_id
             AND s.revision >= p.revision
           WHERE s.work_order_id IS NULL ORDER BY 1 LIMIT :most""",
    ),
    (
        "redemption",
        "it has no captured shares, or its split is not captured",
        """SELECT r.work_order_id, r.price_fen FROM redemption r
           LEFT JOIN price_split s ON s.work_order_id = r.work_order_id
           LEFT JOIN (SELECT work_order_id, SUM(amount) AS fen FROM ledger_transfer
             WHERE kind = 'post' AND unit = 'fen' GROUP BY work_order_id) t
             ON t.work_order_id = r.work_order_id
           WHERE s.work_order_id IS NULL OR s.state NOT IN ('captured', 'reversed')
             OR COALESCE(t.fen, 0) <> r.price_fen ORDER BY 1 LIMIT :most""",
    ),
    (
        "price_split",
        "it is captured without a redemption",
        """SELECT s.work_order_id, s.state FROM price_split s
           LEFT JOIN redemption r ON r.work_order_id = s.work_order_id
           WHERE s.state IN ('captured', 'reversed') AND r.work_order_id IS NULL
           ORDER BY 1 LIMIT :most""",
    ),
    (
        "entitlement",
        "no transfer granted it, or another amount",
        """SELECT e.account_id, e.granted FROM entitlement e LEFT JOIN (
             SELECT credit_account, SUM(amount) AS amount FROM ledger_transfer
             WHERE code IN ('grant', 'award', 'replacement', 'top_up', 'gift')
             GROUP BY credit_account
           ) t ON t.credit_account = e.account_id
           WHERE t.amount IS NULL OR t.amount <> e.granted ORDER BY 1 LIMIT :most""",
    ),
)
