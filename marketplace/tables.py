"""Every table of the product, imported once so that migrations and the application see them all."""

from marketplace.accounts import models as accounts
from marketplace.catalogue import models as catalogue
from marketplace.elders import models as elders
from marketplace.kernel import audit, outbox
from marketplace.kernel import commands as command_keys
from marketplace.kernel.db import Base
from marketplace.orders import models as orders
from marketplace.settlement import models as settlement
from marketplace.visits import models as visits
from marketplace.vouchers import models as vouchers
from vendors import models as vendors

MODULES = (
    accounts,
    catalogue,
    elders,
    audit,
    command_keys,
    outbox,
    orders,
    settlement,
    visits,
    vouchers,
    vendors,
)
TABLES = Base.metadata.tables
