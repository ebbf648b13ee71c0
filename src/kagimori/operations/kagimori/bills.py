"""Bills as the admin service shows them."""

from typing import Any

from kagimori.rules.metering.bill import Bill


def bill_members(bill: Bill) -> dict[str, Any]:
    """Return the members of a bill; its numbers are texts, so that none is rounded."""
    return {
        "AccountId": bill.account_id,
        "Month": bill.month,
        "PriceList": bill.price_list,
        "Currency": bill.currency,
        "Total": str(bill.total),
        "Lines": [
            {
                "Item": line.item,
                "Region": line.region,
                "Unit": line.unit,
                "Quantity": f"{line.quantity:f}",
                "FreeQuantity": f"{line.free:f}",
                "UnitPrice": f"{line.price:f}",
                "Amount": f"{line.amount:f}",
            }
            for line in bill.lines
        ],
    }
