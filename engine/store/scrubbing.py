"""Take what was overwritten out of the database's file, where the database lets a program do so.

SQLite leaves a replaced text in its file, in free pages and in the write-ahead log, until the place is needed. PostgreSQL
does so too, and keeps its log besides; there it is the server's business (VACUUM, backups), and nothing is done here.
"""

from __future__ import annotations

import sqlite3

from engine.store.database import Database


def scrub(database: Database) -> bool:
    """Whether nothing overwritten is left in the file: it was written anew, and the log emptied.

    False on PostgreSQL, and where another process kept the file busy for longer than SQLite's patience.
    """
    if not database.is_sqlite:
        return False
    pooled = database.engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute("PRAGMA query_only=OFF")
        driver.execute("VACUUM")
        busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:  # Somebody else is at it.
        return False
    finally:
        pooled.close()
    return busy == 0
