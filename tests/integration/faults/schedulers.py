"""``octavia scheduler``, but that everything is due every minute, so also in the one in which it starts."""

from periodiq import cron

from octavia.settings import get_settings
from octavia.worker import maintenance, scheduler

if __name__ == "__main__":
    maintenance.cron = lambda _: cron("* * * * *")
    scheduler.run(get_settings())
